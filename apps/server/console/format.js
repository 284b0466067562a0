// @ts-check
// Numbers and dates as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** @param {number} value */
export function count(value) {
  return whole.format(value);
}

/** @param {number} value */
export function rate(value) {
  return value >= 100 ? whole.format(value) : tenths.format(value);
}

/** @param {number} share from 0 to 1 */
export function percent(share) {
  if (share > 0 && share < 0.001) return "under 0.1";
  return share > 0 && share < 0.1 ? tenths.format(100 * share) : whole.format(100 * share);
}

/** @param {number} ms */
export function duration(ms) {
  if (ms < 1_000) return `${whole.format(ms)} ms`;
  if (ms < 60_000) return `${tenths.format(ms / 1_000)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

/**
 * The heading under which a conversation of that time stands in the list.
 * @param {string} createdAt
 * @param {Date} now
 */
export function dayGroup(createdAt, now) {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const time = new Date(createdAt).getTime();
  const day = 86_400_000;
  if (time >= midnight) return "Today";
  if (time >= midnight - day) return "Yesterday";
  if (time >= midnight - 7 * day) return "Last seven days";
  return "Older";
}
