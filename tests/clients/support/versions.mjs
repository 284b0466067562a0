// The versions of the npm packages to run. AI_VERSIONS names aliases of package.json; the newest patch of each major is
// the default, `cargo xtask conformance` runs all.

/** The packages `ai` to run. */
export const VERSIONS = (process.env.AI_VERSIONS || "ai5 ai6 ai7").split(" ");

/** Those that know how to ask for consent to a tool call. */
export const ASKING = VERSIONS.filter((name) => !name.startsWith("ai5"));

/** Only these take up a stream again when the half message is on the page already; older ones double its text. */
export const RESUMES_IN_PLACE = ["ai5", "ai6", "ai7"];

/**
 * React's strict mode, which a development build has, makes a page ask for its stream twice. The newest patches give the
 * first request up before it is sent. These two do not, and mix up the two streams by themselves; so they are built as
 * they are for production.
 */
export const buildFor = (name) => (["ai6old", "ai7old"].includes(name) ? "production" : "development");

/** How often a page that was loaded anew asks for its stream. */
export const asksToResume = (name) => (["ai5old", "ai5b"].includes(name) ? 2 : 1);

/** What SKEIN_AI_SDK_CHUNKS is set to where all clients are at least as new as `name`. */
export const chunksFor = (name) => ({ 5: "all", 6: "v6", 7: "v7" })[name[2]];

/** The alias of `@ai-sdk/react` that belongs to an alias of `ai`. */
export const reactFor = (name) => name.replace("ai", "react");
