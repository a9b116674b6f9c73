export type Settings = Readonly<Record<string, string>>;

/** App settings are looked up without regard to case. */
export function readSetting(settings: Settings, name: string): string | undefined {
  const wanted = name.toLowerCase();
  return settings[name] ?? Object.entries(settings).find(([key]) => key.toLowerCase() === wanted)?.[1];
}

/**
 * Replaces every `%NAME%` by the app setting of that name.
 * @throws Error for a setting that isn't there
 */
export function resolveSettings(text: string, settings: Settings): string {
  return text.replace(/%([^%]+)%/g, (_, name: string) => {
    const value = readSetting(settings, name);
    if (value === undefined) throw new Error(`'%${name}%' does not resolve to a value.`);
    return value;
  });
}

/** `AzureWebJobs.<name>.Disabled`; the form with two underscores has no effect on this platform. */
export function isDisabled(functionName: string, settings: Settings): boolean {
  const value = readSetting(settings, `AzureWebJobs.${functionName}.Disabled`)?.toLowerCase();
  return value === 'true' || value === '1';
}
