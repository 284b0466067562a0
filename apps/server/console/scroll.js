// @ts-check

/** Nearer to the end than this counts as at the end. */
const NEAR = 32;
/** A movement this long after the reader's last turn of the wheel, swipe or key is still the reader's. */
const READER_MS = 1_500;

/** Keeps the end of a growing scroller in view until the reader scrolls up, and offers a way back to it. */
export class FollowEnd {
  #following = true;
  #top = 0;
  #readerUntil = 0;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} content
   * @param {HTMLElement} button
   */
  constructor(scroller, content, button) {
    this.scroller = scroller;
    this.content = content;
    this.button = button;
    // The browser moves a scroller too, when something above changes its size; only the reader's own moves count as leaving.
    const reader = () => (this.#readerUntil = performance.now() + READER_MS);
    for (const type of ["wheel", "touchmove", "keydown"]) scroller.addEventListener(type, reader, { passive: true });
    scroller.addEventListener("pointerdown", (event) => event.target === scroller && (this.#readerUntil = Infinity));
    addEventListener("pointerup", () => this.#readerUntil === Infinity && reader());
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    button.addEventListener("click", () => {
      this.toEnd();
      scroller.focus({ preventScroll: true });
    });
    // Sizes are observed after layout, so reading and following them here costs no second one.
    const observer = new ResizeObserver(() => this.#sized());
    observer.observe(scroller);
    observer.observe(content);
  }

  /** Goes to the end and follows it from now on. */
  toEnd() {
    this.#readerUntil = 0;
    this.#set(true);
    this.#pin();
  }

  /** Stays where the view is until the reader comes back to the end. */
  leave() {
    this.#set(false);
  }

  #sized() {
    if (this.#following) this.#pin();
    this.#show();
  }

  /** Without content there is no end to follow; what stands in its place is read from its beginning. */
  #pin() {
    this.scroller.scrollTop = this.content.clientHeight > 0 ? this.scroller.scrollHeight : 0;
  }

  #scrolled() {
    const { scrollTop } = this.scroller;
    const moved = scrollTop - this.#top;
    this.#top = scrollTop;
    if (moved < 0 && performance.now() < this.#readerUntil) this.#set(false);
    else if (this.#away() <= (moved > 0 ? NEAR : 1)) this.#set(true);
  }

  /** How far the view is from the end, in pixels. */
  #away() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  /** @param {boolean} following */
  #set(following) {
    this.#following = following;
    this.#show();
  }

  #show() {
    this.button.hidden = this.#following || this.#away() <= NEAR || this.content.clientHeight === 0;
  }
}
