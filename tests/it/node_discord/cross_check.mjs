// Run by tests/it/node_discord.rs with a file that says what our signer signed and where our server is.

import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { InteractionResponseType, InteractionType, verifyKey } from "discord-interactions";

const given = JSON.parse(readFileSync(process.argv[2], "utf8"));
let held = 0;

function check(what, holds) {
  if (!holds) {
    console.error(`does not hold: ${what}`);
    process.exit(1);
  }
  held += 1;
}

// The package takes what our signer signed, and nothing beside it.
const { body, signature, timestamp, public_key: key } = given;
const later = String(Number(timestamp) + 1);
const flipped = (signature[0] === "0" ? "1" : "0") + signature.slice(1);
check("our signature", await verifyKey(body, signature, timestamp, key));
check("our signature over bytes", await verifyKey(Buffer.from(body), signature, timestamp, key));
check("not another body", !(await verifyKey(`${body} `, signature, timestamp, key)));
check("not another time", !(await verifyKey(body, signature, later, key)));
check("not another signature", !(await verifyKey(body, flipped, timestamp, key)));

// Our server takes what node signs, and nothing beside it. The prefix makes a PKCS #8 key of the seed.
const prefix = Buffer.from("302e020100300506032b657004220420", "hex");
const der = Buffer.concat([prefix, Buffer.from(given.seed, "hex")]);
const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });

async function post(text, { stamp = String(Math.floor(Date.now() / 1000)), sent = text } = {}) {
  const signed = sign(null, Buffer.from(stamp + text), privateKey).toString("hex");
  check("the package takes what node signed", await verifyKey(text, signed, stamp, key));
  return fetch(`${given.base}/interactions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-signature-ed25519": signed,
      "x-signature-timestamp": stamp,
    },
    body: sent,
  });
}

const ping = JSON.stringify({
  type: InteractionType.PING,
  id: "1",
  application_id: given.application_id,
  token: "a_token",
  version: 1,
});
const pong = await post(ping);
check("a ping is answered", pong.status === 200);
check("with a pong", (await pong.json()).type === InteractionResponseType.PONG);
check("a changed body is turned away", (await post(ping, { sent: `${ping} ` })).status === 401);
const old = String(Math.floor(Date.now() / 1000) - 400);
check("an old one is turned away", (await post(ping, { stamp: old })).status === 401);

console.log(`${held} checks held`);
