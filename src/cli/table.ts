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
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to show.
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}

/** In characters as people count them, not in UTF-16 units. */
function width(text: string): number {
  return [...text].length;
}
