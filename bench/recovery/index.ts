import type { Benchmark } from '../harness/benchmark.ts';
import { figure } from '../harness/figures.ts';
import { isSettled, startWaveFleet, until } from '../wave/fleet.ts';
import { fewestSecondsInMidst, readWaveSize, scaledLimits } from '../wave/size.ts';

const goal = 1.25;
/** Of the wave, when the host is killed. */
const killedAt = 1 / 3;
const patience = 4;
const patienceSeconds = 180;

/** The only host is killed in mid-wave and started again, against what the rest of the wave takes at least. */
export const recovery: Benchmark = {
  name: 'recovery',
  measures: 'SIGKILL in mid-wave: until all agree again, against the floor of the work that was left',
  isLong: true,
  async run({ progress }) {
    const size = readWaveSize(process.env);
    const limits = scaledLimits(size.scale);
    await using fleet = await startWaveFleet(size, progress);
    const { state, platform } = fleet;
    const imports = size.rotations * size.vaults;
    const watch = fleet.watch();
    const first = await fleet.startHost();
    await fleet.rotateAll(first);
    progress(`all accepted, ${watch.imports} versions in the vaults`);
    await until(() => watch.imports >= imports * killedAt);
    await first.kill();
    const startTime = performance.now();
    const left = imports - watch.imports;
    progress(`killed with ${left} versions to go`);
    const since = () => (performance.now() - startTime) / 1000;
    const floorSeconds = fewestSecondsInMidst(left / size.vaults, limits);
    const second = await fleet.startHost();
    const startedSeconds = since();
    const atMost = floorSeconds * patience + patienceSeconds;
    let told = watch.imports;
    await until(() => {
      if (watch.imports >= told + imports / 10) progress(`${(told = watch.imports)} versions in the vaults`);
      return watch.imports >= imports;
    }, atMost);
    const importedSeconds = (watch.lastTime - startTime) / 1000;
    await until(() => isSettled(state), atMost);
    const seconds = since();
    fleet.expectVersions(2);
    const deadLetters = platform.broker.queue('distribution').deadLettered;
    await second.stop();
    const parts = {
      seconds,
      'floor, seconds': floorSeconds,
      'versions left': left,
      vaults: size.vaults,
      'limits divided by': size.scale,
      'host back after, seconds': startedSeconds,
      'last version after, seconds': importedSeconds,
      'dead letters': deadLetters,
    };
    return [figure('recovery / remaining work', 'times', [seconds / floorSeconds], { atMost: goal, parts })];
  },
};
