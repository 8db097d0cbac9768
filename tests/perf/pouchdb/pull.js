// Pulls documents with PouchDB from a PouchDB server in a process of its own, both on disk; prints one line of JSON.
//   node pull.js FOLDER DOCUMENTS.jsonl BATCH
'use strict';
const { fork } = require('child_process');
const fs = require('fs');
const path = require('path');
const PouchDB = require('pouchdb');

const [, , folder, documents, batch, role] = process.argv;

function server() {
  const Served = PouchDB.defaults({ prefix: path.join(folder, 'server') + path.sep });
  const app = require('express')();
  app.use('/', require('express-pouchdb')(Served, { logPath: path.join(folder, 'log.txt'), inMemoryConfig: true }));
  const listener = app.listen(0, '127.0.0.1', async () => {
    const db = new Served('cases');
    const docs = fs.readFileSync(documents, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    for (let at = 0; at < docs.length; at += 1000) await db.bulkDocs(docs.slice(at, at + 1000));
    process.send({ port: listener.address().port, count: docs.length });
  });
}

async function client({ port, count }, child) {
  const db = new PouchDB(path.join(folder, 'client'));
  const began = process.hrtime.bigint();
  const done = await db.replicate.from(`http://127.0.0.1:${port}/cases`, { batch_size: Number(batch) });
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  console.log(JSON.stringify({ seconds, written: done.docs_written, count }));
  child.kill();
  process.exit(done.docs_written === count ? 0 : 1);
}

fs.mkdirSync(path.join(folder, 'server'), { recursive: true });
if (role === 'server') server();
else {
  const child = fork(__filename, [folder, documents, batch, 'server'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  child.on('message', (said) => client(said, child));
}
