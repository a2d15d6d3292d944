// Asks a local Spark with spark-llm-api, a client for Node.js from npm.
//
// Usage: spark_llm_api.js URL APP_ID API_KEY API_SECRET QUESTION; foreign.py says what it prints.

const { Client } = require("spark-llm-api");

const [url, appId, apiKey, apiSecret, question] = process.argv.slice(2);

// Whole, or frame by frame until the last one or an error: the client doesn't end its stream.
async function answer(streamMode) {
  const host = new URL(url).host;
  const client = new Client({ apiKey, apiSecret, appId, host, protocal: "ws", streamMode });
  const told = await client.chat({ messages: [{ role: "user", content: question }] });
  const frames = [];
  for await (const frame of streamMode ? told : [told]) {
    frames.push(frame);
    if (frame.header.code !== 0 || frame.header.status === 2) break;
  }
  const { header, payload } = frames.at(-1);
  if (header.code !== 0) return { error: `${header.code}: ${header.message}` };
  const text = frames.map((frame) => frame.payload.choices.text[0].content).join("");
  return { text, pieces: streamMode ? frames.length : null, usage: payload.usage.text };
}

// One question; what came, or how it failed: the client throws where only this can catch it.
function ask(streamMode) {
  return new Promise((resolve) => {
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => resolve({ error: String(error) }));
    answer(streamMode).then(resolve);
  });
}

(async () => {
  const answers = [await ask(true), await ask(false)];
  process.stdout.write(JSON.stringify(answers) + "\n", () => process.exit());
})();
