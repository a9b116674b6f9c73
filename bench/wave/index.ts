import type { Benchmark, Figure } from '../harness/benchmark.ts';
import { figure } from '../harness/figures.ts';
import { isSettled, startWaveFleet, until, type WaveFleet } from './fleet.ts';
import { fewestSeconds, readWaveSize, scaledLimits } from './size.ts';

const goal = 1.15;
/** A wave that takes so many times what it should is broken off. */
const patience = 4;
const patienceSeconds = 120;

/** Many rotations at once, against the time that the vaults' limits ask for. */
export const wave: Benchmark = {
  name: 'wave',
  measures: 'a wave of rotations through the API, against the floor that the limits of the vaults allow',
  isLong: true,
  async run({ progress }) {
    const size = readWaveSize(process.env);
    await using fleet = await startWaveFleet(size, progress);
    const floorSeconds = fewestSeconds(size.rotations, scaledLimits(size.scale));
    const { seconds, acceptedSeconds, mostMessages, watch } = await measure(fleet, floorSeconds, progress);
    const imports = size.rotations * size.vaults;
    const parts = {
      seconds,
      'floor, seconds': floorSeconds,
      rotations: size.rotations,
      vaults: size.vaults,
      'limits divided by': size.scale,
      'all accepted after, seconds': acceptedSeconds,
      'pool filled in, seconds': fleet.fillSeconds,
      '429': watch.throttled,
      'calls per version': watch.calls / imports,
    };
    const figures: Figure[] = [
      figure('wave finished / floor', 'times', [seconds / floorSeconds], { atMost: goal, parts }),
      figure('longest queue', 'messages', [mostMessages]),
      figure('429s / calls', 'times', [watch.throttled / watch.calls]),
    ];
    return figures;
  },
};

async function measure(fleet: WaveFleet, floorSeconds: number, progress: (line: string) => void) {
  const { platform, keys, state } = fleet;
  const host = await fleet.startHost();
  const watch = fleet.watch();
  const queue = platform.broker.queue('distribution');
  let mostMessages = 0;
  const sampling = setInterval(() => (mostMessages = Math.max(mostMessages, queue.active + queue.scheduled)), 100);
  const startTime = performance.now();
  const since = () => (performance.now() - startTime) / 1000;
  try {
    await fleet.rotateAll(host);
    const acceptedSeconds = since();
    progress(`${keys.length} rotations accepted, ${watch.imports} versions in the vaults`);
    const imports = keys.length * platform.vaults.size;
    let told = 0;
    await until(
      async () => {
        if (watch.imports >= told + imports / 10) progress(`${(told = watch.imports)} versions in the vaults`);
        return watch.imports >= imports && (await isSettled(state));
      },
      floorSeconds * patience + patienceSeconds,
    );
    fleet.expectVersions(2);
    return { seconds: (watch.lastTime - startTime) / 1000, acceptedSeconds, mostMessages, watch };
  } finally {
    clearInterval(sampling);
    watch.stop();
    await host.stop();
  }
}
