/**
 * Follows the WebSocket frames of one connection by their headers alone, beside the library that
 * reads them, to know what the library does not tell: whether a message has begun that is not yet
 * complete, and how many bytes of it are held.
 */
const controlOpcode = 0x8;

export class MessageProgress {
  /** Of the frame that is being read; complete once it has `#headerLength` bytes. */
  readonly #header = new Uint8Array(14);
  #headerRead = 0;
  #payloadLeft = 0;
  #isControl = false;
  #isFinal = false;
  /** A data message has begun. */
  #isOpen = false;
  #heldBytes = 0;
  #completed = 0;

  /** Whether bytes have come that belong to a message or frame which is not complete. */
  get isMidway(): boolean {
    return this.#isOpen || this.#headerRead > 0 || this.#payloadLeft > 0;
  }

  /** Payload bytes of the message that has begun. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Changes whenever what was under way got complete. A ping within a message does not count. */
  get completed(): number {
    return this.#completed;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        const taken = Math.min(this.#payloadLeft, chunk.length - at);
        at += taken;
        this.#payloadLeft -= taken;
        if (!this.#isControl) this.#heldBytes += taken;
        if (this.#payloadLeft === 0) this.#endFrame();
      } else {
        this.#header[this.#headerRead++] = chunk[at++] as number;
        if (this.#headerRead >= 2 && this.#headerRead === this.#headerLength()) this.#endHeader();
      }
    }
  }

  #headerLength(): number {
    const second = this.#header[1] as number;
    const length = second & 0x7f;
    return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + (second >= 0x80 ? 4 : 0);
  }

  #endHeader(): void {
    const first = this.#header[0] as number;
    this.#headerRead = 0;
    this.#isControl = (first & 0x0f) >= controlOpcode;
    this.#isFinal = first >= 0x80;
    if (!this.#isControl) this.#isOpen = true;
    this.#payloadLeft = this.#payloadLength();
    if (this.#payloadLeft === 0) this.#endFrame();
  }

  #payloadLength(): number {
    const length = (this.#header[1] as number) & 0x7f;
    const view = new DataView(this.#header.buffer);
    if (length === 126) return view.getUint16(2);
    return length === 127 ? view.getUint32(2) * 0x1_0000_0000 + view.getUint32(6) : length;
  }

  #endFrame(): void {
    if (!this.#isControl && this.#isFinal) {
      this.#isOpen = false;
      this.#heldBytes = 0;
    }
    if (!this.#isOpen) this.#completed++;
  }
}
