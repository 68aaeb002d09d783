/** Certificates made with openssl, and a server that ends TLS in front of a broker without it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';

export interface Certificate {
  readonly keyFile: string;
  readonly certFile: string;
  readonly key: Buffer;
  readonly cert: Buffer;
}

/** Signed by itself, for `localhost`, with this name as its subject. */
export function makeCertificate(folder: string, name: string): Certificate {
  const [keyFile, certFile] = [join(folder, `${name}.key.pem`), join(folder, `${name}.cert.pem`)];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  const files = ['-keyout', keyFile, '-out', certFile];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync('openssl', [...request, ...files, ...subject], { stdio: 'pipe' });
  return { keyFile, certFile, key: readFileSync(keyFile), cert: readFileSync(certFile) };
}

export interface TlsFront {
  readonly url: string;
  /** Subjects of the certificates that clients have shown, one for each connection; undefined of those without. */
  readonly clients: readonly (string | undefined)[];
  /** Breaks every connection. */
  reset(): void;
  close(): void;
}

/** TLS ends here and goes on in plain: the handshake is what is tested, and that needs no broker with certificates. */
export async function openTlsFront(brokerUrl: string, { key, cert }: Certificate): Promise<TlsFront> {
  const broker = new URL(brokerUrl);
  const clients: (string | undefined)[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ key, cert, requestCert: true, rejectUnauthorized: false }, (socket) => {
    const subject = socket.getPeerCertificate().subject?.CN;
    clients.push(Array.isArray(subject) ? subject.join() : subject);
    const plain = connectTcp(Number(broker.port), broker.hostname);
    socket.pipe(plain).pipe(socket);
    sockets.add(socket);
    for (const end of [socket, plain]) end.on('error', () => end.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      plain.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const reset = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `amqps://${broker.username}:${broker.password}@localhost:${port}`,
    clients,
    reset,
    close: () => {
      server.close();
      reset();
    },
  };
}
