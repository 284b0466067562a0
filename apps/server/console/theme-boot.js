// Sets the remembered theme before the first paint, so that the page does not flash; hence a plain script in the head.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("skein.theme");
  } catch {
    // Without storage the system's theme holds.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
