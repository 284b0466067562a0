// @ts-check
// The forecast that `getWeather` gives, as a small card.

import { h } from "./dom.js";

const HOURS = 6;

/**
 * @typedef {object} Forecast
 * @property {{ time?: string, temperature_2m?: number }} [current]
 * @property {{ temperature_2m?: string }} [current_units]
 * @property {{ time?: string[], temperature_2m?: number[] }} [hourly]
 * @property {string} [cityName]
 * @property {string} [timezone]
 */

/**
 * The card of a forecast; null for what is none.
 * @param {unknown} output
 * @returns {HTMLElement | null}
 */
export function weatherCard(output) {
  const forecast = /** @type {Forecast} */ (output ?? {});
  const now = forecast.current?.temperature_2m;
  if (typeof now !== "number") return null;
  const unit = forecast.current_units?.temperature_2m ?? "°C";
  const times = Array.isArray(forecast.hourly?.time) ? forecast.hourly.time : [];
  const degrees = Array.isArray(forecast.hourly?.temperature_2m) ? forecast.hourly.temperature_2m : [];
  const today = degrees.slice(0, 24).filter((each) => typeof each === "number");
  // Times are the place's own, without a zone, so they compare as text.
  const next = Math.max(0, times.findIndex((time) => time >= (forecast.current?.time ?? "")));
  const hours = times.slice(next, next + HOURS).map((time, index) => ({ hour: time.slice(11, 16), degrees: degrees[next + index] }));
  return h(
    "section",
    { class: "weather", "aria-label": "Weather", "data-testid": "weather" },
    h(
      "div",
      { class: "weather-now" },
      h("span", { class: "weather-place" }, forecast.cityName ?? forecast.timezone ?? "Here"),
      h("span", { class: "weather-degrees" }, `${round(now)} ${unit}`),
      today.length > 0 && h("span", { class: "weather-range" }, `${round(Math.min(...today))} to ${round(Math.max(...today))} ${unit}`),
    ),
    hours.length > 0 &&
      h(
        "ul",
        { class: "weather-hours" },
        ...hours.map((each) => h("li", {}, h("span", {}, each.hour), h("strong", {}, typeof each.degrees === "number" ? `${round(each.degrees)}°` : "–"))),
      ),
  );
}

/** @param {number} degrees */
function round(degrees) {
  return String(Math.round(degrees));
}
