import { Subscriber } from "./mqtt.ts";

/** What a broker keeps at this moment, by topic. */
export async function keptTopics(url: string): Promise<Readonly<Record<string, Buffer>>> {
  const subscriber = new Subscriber();
  await subscriber.start(url);
  try {
    await subscriber.caughtUp();
    const kept = subscriber.packets.filter(({ retain, payload }) => retain && payload.length > 0);
    return Object.fromEntries(kept.map(({ topic, payload }) => [topic, Buffer.from(payload)]));
  } finally {
    await subscriber.stop();
  }
}
