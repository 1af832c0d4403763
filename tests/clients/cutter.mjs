// A TCP proxy that destroys connections after so many bytes from the server.
import net from 'node:net';

// `cuts`: for each connection in turn the bytes that pass before it is cut; later ones live.
export function startCutter(host, port, cuts) {
  let count = 0;
  const server = net.createServer((client) => {
    let left = cuts[count] ?? Infinity;
    count += 1;
    const upstream = net.connect(port, host);
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on('error', end).on('close', end);
    upstream.on('error', end).on('close', end);
    client.on('data', (piece) => upstream.write(piece));
    upstream.on('data', (piece) => {
      if (piece.length < left) {
        left -= piece.length;
        client.write(piece);
        return;
      }
      upstream.pause();
      // What was cut off is gone; what came before has really been sent.
      client.write(piece.subarray(0, left), () => {
        if (count % 2) client.resetAndDestroy();
        else client.destroy();
        upstream.destroy();
      });
      left = 0;
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({
      port: server.address().port,
      connections: () => count,
      close: () => server.close(),
    }));
  });
}
