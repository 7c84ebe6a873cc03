/** The segments that a log has, as files in its directory. */
import { damaged } from '../damage.ts';
import type { File, Files } from '../types.ts';
import { isGroupAt } from './scan.ts';
import {
  readSegmentHeader,
  type Segment,
  type SegmentHeader,
  segmentNumber,
  segmentPath,
  walDirectory,
} from './segment.ts';

/**
 * The header of a segment that has begun, or null. An install's header alone means nothing: its
 * write was torn, and the state that it names may be gone.
 */
export async function readBegunSegment(
  file: File,
  number: number,
): Promise<{ readonly header: SegmentHeader; readonly segment: Segment } | null> {
  const found = await readSegmentHeader(file, number);
  if (found === null || !found.header.isInstall) return found;
  const { salt, begin } = found.segment;
  return (await isGroupAt(file, salt, begin)) ? found : null;
}

/** The numbers of the segments, without a gap; empty when there are none. */
export async function listSegments(files: Files): Promise<readonly number[]> {
  const numbers = (await files.list(walDirectory))
    .map(segmentNumber)
    .filter((name) => name !== null);
  for (const [at, number] of numbers.entries()) {
    const expected = (numbers[0] as number) + at;
    if (number === expected) continue;
    throw damaged('log', segmentPath(expected), 0, 'the segment is missing, while others exist');
  }
  return numbers;
}

/** The number of the current state directory, or null when no segment can say it. */
export async function readCurrentState(files: Files): Promise<number | null> {
  for (const number of (await listSegments(files)).toReversed()) {
    const file = await files.open(segmentPath(number), { create: false });
    if (file === null) continue;
    try {
      const found = await readBegunSegment(file, number);
      if (found !== null) return found.header.state;
    } finally {
      await file.close();
    }
  }
  return null;
}
