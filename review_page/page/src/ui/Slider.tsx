/** A slider with its name, a field to type the number, and help that shows on demand. */

import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";

interface Props {
  label: string;
  help?: string;
  value: number;
  least: number;
  most: number;
  step: number;
  /** Shown in the field instead of this value, such as "auto" for 0. */
  words?: { value: number; text: string };
  onChange: (value: number) => void;
  /** A number from the field, which may lie beyond the slider; null = not a number. */
  read?: (text: string) => number | null;
}

const asTyped = (text: string) => {
  const typed = Number(text.trim().replace(",", "."));
  return text.trim() !== "" && Number.isFinite(typed) ? typed : null;
};

export function Slider({ label, help, value, least, most, step, words, onChange, read = asTyped }: Props) {
  const id = useId();
  const typing = useSignal<string | null>(null);
  const text = words && value === words.value ? words.text : asShort(value);
  function commit(typed: string) {
    typing.value = null;
    const next = words && typed.trim() === words.text ? words.value : read(typed);
    if (next === null || next === value) return;
    onChange(next);
  }
  return (
    <div class="setting">
      <label for={id} title={help}>
        {label}
      </label>
      <input
        type="text"
        class="number"
        inputMode="decimal"
        aria-label={`${label}, number`}
        value={typing.value ?? text}
        onInput={(event) => {
          typing.value = event.currentTarget.value;
        }}
        onChange={(event) => commit(event.currentTarget.value)}
      />
      <input
        id={id}
        type="range"
        min={least}
        max={most}
        step={step}
        value={value}
        title={help}
        aria-valuetext={text}
        onInput={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
    </div>
  );
}

export function asShort(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(Math.abs(value) >= 100 ? 5 : 3)));
}
