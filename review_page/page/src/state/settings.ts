/** Settings of a segmentation: which there are, which outlines follow at once, and how they are worded. */

import type { SessionInfo, SettingSpec, Settings, SettingValue } from "../server/answers";

/** These are shown first, in this order; the others follow under "More settings". */
export const FIRST = [
  "diameter",
  "flow_threshold",
  "cellprob_threshold",
  "min_size",
  "max_size_fraction",
  "exclude_on_edges",
];

export function firstSpecs(specs: SettingSpec[]): SettingSpec[] {
  return FIRST.flatMap((name) => specs.filter((spec) => spec.name === name));
}

export function otherSpecs(specs: SettingSpec[]): SettingSpec[] {
  return specs.filter((spec) => !FIRST.includes(spec.name) && spec.name !== "model");
}

/** Whether outlines follow this setting: at once, when it rests because the network has to run, or not by themselves. */
export function following(spec: SettingSpec): "at once" | "at rest" | "no" {
  if (spec.quick) return "at once";
  return spec.name === "diameter" ? "at rest" : "no";
}

export function currentOf(settings: Settings, spec: SettingSpec): SettingValue {
  const value = settings[spec.name];
  return value === undefined ? spec.default : value;
}

/** What a text field shows for a value. */
export function asText(value: SettingValue): string {
  if (value === null) return "";
  return Array.isArray(value) ? value.join(",") : String(value);
}

/** A typed number within the setting's limits; null if it is none. */
export function asNumber(text: string, spec: SettingSpec): number | null {
  const typed = Number(text.trim().replace(",", "."));
  if (text.trim() === "" || !Number.isFinite(typed)) return null;
  const whole = spec.kind === "integer" ? Math.round(typed) : typed;
  const least = spec.minimum ?? Number.NEGATIVE_INFINITY;
  return Math.max(least, whole);
}

/** How far a slider reaches: what the engine says, widened to the value that is set. */
export function sliderSpan(
  spec: SettingSpec,
  value: SettingValue,
): { least: number; most: number; step: number } {
  const set = typeof value === "number" ? value : 0;
  const least = Math.min(spec.minimum ?? 0, set);
  const most = Math.max(spec.maximum ?? Math.max(1, 10 * Number(spec.default ?? 1)), set);
  const step = spec.step ?? (spec.kind === "integer" ? 1 : (most - least) / 200);
  return { least, most, step };
}

export function labelOf(session: SessionInfo | null, name: string): string {
  return session?.specs.find((spec) => spec.name === name)?.label ?? name;
}
