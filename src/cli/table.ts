import { textOrBase64 } from './json.ts';

/** A column of numbers is set flush right. */
export interface Column {
  readonly title: string;
  readonly numeric?: boolean;
}

/** Aligned columns under a header, for people. Empty cells show as a dash. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const titles = columns.map(({ title }) => title.toUpperCase());
  const lines = [
    titles,
    ...rows.map((row) => row.map((cell) => (cell === '' ? '-' : printable(cell)))),
  ];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => width(line[at] ?? ''))));
  const rendered = lines.map((line) => {
    const cells = columns.map(({ numeric }, at) => {
      const cell = line[at] ?? '';
      const padding = ' '.repeat((widths[at] ?? 0) - width(cell));
      return numeric ? padding + cell : cell + padding;
    });
    return cells.join('  ').trimEnd();
  });
  return `${rendered.join('\n')}\n`;
}

/**
 * What others have stored must not steer this terminal: control characters show as escapes, as in
 * a string literal.
 */
export function printable(text: string): string {
  return text.replace(controlCharacters, (character) => {
    const code = character.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}

/** Ends of lines, what steers a terminal, and what turns the direction of writing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to show.
const controlCharacters = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * A key or a value on one line that cannot be taken for another: as it is; as a JSON string where it
 * holds control characters or begins with a quote; as `{"base64":"…"}` where it is no text.
 */
export function lineOf(bytes: Uint8Array): string {
  const { text, textBase64 } = textOrBase64('text', bytes);
  if (text === undefined) return `${JSON.stringify({ base64: textBase64 })}\n`;
  const isPlain = printable(text) === text && !/^(?:"|\{"base64":)/.test(text);
  return `${isPlain ? text : JSON.stringify(text).replace(controlCharacters, unicodeEscape)}\n`;
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const graphemes = new Intl.Segmenter();
/** East Asian wide and full-width characters. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]/u;
const emoji = /\p{Emoji_Presentation}|\p{Emoji}\ufe0f/u;
const invisible = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

/** In columns of a terminal. */
function width(text: string): number {
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) {
    if (invisible.test(segment)) continue;
    columns += wide.test(segment) || emoji.test(segment) ? 2 : 1;
  }
  return columns;
}
