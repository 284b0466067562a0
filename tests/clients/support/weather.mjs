// A weather service on this machine that speaks as Open-Meteo does: one place, one forecast.

import { once } from "node:events";
import { createServer } from "node:http";

const FORECAST = {
  latitude: 48.86,
  longitude: 2.36,
  timezone: "Europe/Paris",
  elevation: 43,
  current_units: { temperature_2m: "°C" },
  current: { time: "2026-01-02T03:00", temperature_2m: 7.5 },
  hourly_units: { temperature_2m: "°C" },
  hourly: { time: ["2026-01-02T03:00"], temperature_2m: [7.5] },
  daily_units: { sunrise: "iso8601" },
  daily: { time: ["2026-01-02"], sunrise: ["2026-01-02T08:40"], sunset: ["2026-01-02T17:00"] },
};
const PLACES = { results: [{ name: "Paris", latitude: 48.85, longitude: 2.35 }] };

/** Starts the service. It knows Paris and no other place. */
export async function startWeather() {
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    const url = new URL(request.url, "http://localhost");
    const known = url.searchParams.get("name") === "Paris";
    const answer = url.pathname === "/forecast" ? FORECAST : known ? PLACES : {};
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    /** The settings with which Skein asks here. */
    env: { SKEIN_WEATHER_URL: `${url}/forecast`, SKEIN_GEOCODING_URL: `${url}/search` },
    /** How many requests it has had. */
    asked: () => asked,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
