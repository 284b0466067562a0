// @ts-check
// Comma-separated values as RFC 4180 describes them, forgiving what is cut short.

/**
 * Reads CSV into rows of fields. A quoted field may hold commas, line ends and doubled quotes; one that is not closed ends with
 * the text.
 * @param {string} text
 * @returns {string[][]}
 */
export function parseCsv(text) {
  /** @type {string[][]} */
  const rows = [];
  /** @type {string[]} */
  let row = [];
  let field = "";
  let quoted = false;
  /** Whether the row has anything, be it an empty quoted field. */
  let begun = false;
  const endField = () => {
    row.push(field);
    field = "";
  };
  const endRow = () => {
    endField();
    // An empty line is none, as at the end of a file.
    if (begun) rows.push(row);
    row = [];
    begun = false;
  };
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (quoted) {
      if (sign !== '"') field += sign;
      else if (text[at + 1] === '"') {
        field += '"';
        at += 1;
      } else quoted = false;
      continue;
    }
    if (sign === "\n") {
      endRow();
      continue;
    }
    if (sign === "\r" && text[at + 1] === "\n") continue;
    begun = true;
    if (sign === '"' && field === "") quoted = true;
    else if (sign === ",") endField();
    else field += sign;
  }
  endRow();
  return rows;
}
