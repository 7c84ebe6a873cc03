/**
 * Who may speak to the client port from a browser's point of view. A page of any site can make its
 * visitor's browser connect to a loopback port, and DNS can be made to lead a foreign name there; so
 * both what the page is (Origin) and what the browser thinks it talks to (Host) have to be ours.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { isLoopback } from '../base/address.ts';

/** Null, or why the request is refused. `hosts` are this node's own names, in lower case. */
export function refusalOf(request: IncomingMessage, hosts: ReadonlySet<string>): string | null {
  if (!isOwnHost(request, hosts)) return 'This Host is not allowed';
  const { origin } = request.headers;
  if (origin !== undefined && !isLoopbackOrigin(origin)) return 'This Origin is not allowed';
  return null;
}

function isOwnHost(request: IncomingMessage, hosts: ReadonlySet<string>): boolean {
  const host = hostOf(`http://${request.headers.host ?? ''}`);
  if (host === null) return false;
  // A numeric address cannot be a foreign name that leads here; it must be the one that was dialed.
  const local = request.socket.localAddress?.replace(/^::ffff:(?=\d+\.)/, '');
  return isLoopback(host) || hosts.has(host) || (isIP(host) !== 0 && host === local);
}

function isLoopbackOrigin(origin: string): boolean {
  const host = hostOf(origin);
  return host !== null && isLoopback(host);
}

function hostOf(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { protocol, hostname, username, pathname } = new URL(url);
  const isPlain = (protocol === 'http:' || protocol === 'https:') && username === '';
  return isPlain && pathname === '/' ? hostname.replace(/^\[|\]$/g, '') : null;
}
