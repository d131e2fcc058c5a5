import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { NotFound } from './error-replies.ts';
import { isLoopbackCaller } from './loopback.ts';

/**
 * Port 4280, without TLS. Whoever asks for anything but the public routes is sent to HTTPS; somebody at the machine itself
 * is told where to go. No credential travels here: API calls are refused instead of redirected, because a client that
 * follows redirects has sent its token in clear already.
 */
export function toHttps(httpsPort: () => number): NotFound {
  return (request, reply) => {
    const host = hostOf(request.headers.host);
    if (host === null)
      throw new ProtocolError('invalid_request', { message: 'The Host header is missing or malformed.' });
    const secure = `https://${host}:${httpsPort()}`;
    if (request.url.startsWith('/api/') || request.headers.authorization !== undefined) {
      throw new ProtocolError('unknown_route', { message: `The API is at ${secure}`, data: { base: secure } });
    }
    if (request.url === '/' && isLoopbackCaller(request))
      return reply.type('text/html; charset=utf-8').send(page(secure));
    return reply.redirect(secure + request.url, 308);
  };
}

/** The Host as a plain name or address: it goes into a header and a page. */
function hostOf(header: string | undefined): string | null {
  return /^([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/i.exec(header ?? '')?.[1] ?? null;
}

const page = (secure: string) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Holdfast</title>
<h1>Holdfast is running</h1>
<p>The API is at <a href="${secure}/api/openapi.json">${secure}/api/openapi.json</a>.
<p>Make the first administrator with <code>holdfast-server admin create NAME</code>, and show the line that enrols devices
with <code>holdfast-server enrolment</code>.
</html>
`;
