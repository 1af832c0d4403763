// One client against the real server, through a cutter, until stdin ends.
//   node run.mjs '{"client", "host", "port", "path", "token", "cuts"}'
// Prints each event as a JSON line {type, id, data}, at the end {connections}.
import { adapters } from './adapters.mjs';
import { startCutter } from './cutter.mjs';

const spec = JSON.parse(process.argv[2]);
const cutter = await startCutter(spec.host, spec.port, spec.cuts);
const close = await adapters[spec.client](`http://127.0.0.1:${cutter.port}${spec.path}`, spec.token,
  (type, id, data) => console.log(JSON.stringify({ type, id, data: JSON.parse(data) })));

process.stdin.resume();
process.stdin.on('end', () => {
  close();
  console.log(JSON.stringify({ connections: cutter.connections() }));
  process.exit(0);
});
