/** The part of DOMPurify's interface that the console uses. */
declare const purify: {
  sanitize(
    html: string,
    options: { ALLOWED_TAGS: string[]; ALLOWED_ATTR: string[]; ALLOW_DATA_ATTR: boolean; RETURN_DOM_FRAGMENT: true },
  ): DocumentFragment;
};
export default purify;
