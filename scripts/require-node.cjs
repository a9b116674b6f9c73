// Kept in CommonJS without new syntax: an old Node must be able to run it and print the reason.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    'Keyfleet needs Node 24 or later; this is ' +
      process.version +
      '.\n' +
      'On Linux and Windows `npm ci` installs a suitable one beside the dependencies, unless optional dependencies are\n' +
      'left out (`npm ci --omit=optional`). Elsewhere install Node 24 yourself, then run the command again.',
  );
  process.exit(1);
}
