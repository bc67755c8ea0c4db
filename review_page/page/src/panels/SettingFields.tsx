/** One control for every setting of a segmentation, after what the engine says of it. */

import { useId } from "preact/hooks";
import type { SettingSpec, Settings, SettingValue } from "../server/answers";
import { asNumber, asText, currentOf, sliderSpan } from "../state/settings";
import { Slider } from "../ui/Slider";

interface Props {
  specs: SettingSpec[];
  settings: Settings;
  onChange: (spec: SettingSpec, value: SettingValue) => void;
}

export function SettingFields({ specs, settings, onChange }: Props) {
  return (
    <>
      {specs.map((spec) => (
        <Field
          key={spec.name}
          spec={spec}
          value={currentOf(settings, spec)}
          onChange={(value) => onChange(spec, value)}
        />
      ))}
    </>
  );
}

interface FieldProps {
  spec: SettingSpec;
  value: SettingValue;
  onChange: (value: SettingValue) => void;
}

function Field({ spec, value, onChange }: FieldProps) {
  if (spec.kind === "boolean") return <Flag spec={spec} value={value} onChange={onChange} />;
  if (spec.kind === "choice") return <Choices spec={spec} value={value} onChange={onChange} />;
  if (spec.kind === "text" || spec.kind === "numbers" || spec.maximum === null)
    return <Text spec={spec} value={value} onChange={onChange} />;
  const automatic = spec.default === null;
  return (
    <Slider
      label={spec.label}
      help={spec.help}
      value={typeof value === "number" ? value : 0}
      {...sliderSpan(spec, value)}
      {...(automatic ? { words: { value: 0, text: "auto" } } : {})}
      read={(text) => asNumber(text, spec)}
      onChange={(next) => onChange(automatic && next === 0 ? null : next)}
    />
  );
}

function Flag({ spec, value, onChange }: FieldProps) {
  return (
    <label class="check" title={spec.help}>
      <input
        type="checkbox"
        checked={value === true}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span>{spec.label}</span>
    </label>
  );
}

function Choices({ spec, value, onChange }: FieldProps) {
  const id = useId();
  return (
    <div class="setting">
      <label for={id} title={spec.help}>
        {spec.label}
      </label>
      <select
        id={id}
        value={asText(value)}
        title={spec.help}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {(spec.choices ?? []).map((choice) => (
          <option key={choice} value={choice}>
            {choice}
          </option>
        ))}
      </select>
    </div>
  );
}

function Text({ spec, value, onChange }: FieldProps) {
  const id = useId();
  const numeric = spec.kind === "number" || spec.kind === "integer";
  return (
    <div class="setting">
      <label for={id} title={spec.help}>
        {spec.label}
      </label>
      <input
        id={id}
        type="text"
        value={asText(value)}
        placeholder={spec.default === null ? "automatic or none" : ""}
        title={spec.help}
        onChange={(event) => {
          const text = event.currentTarget.value;
          onChange(numeric && text.trim() !== "" ? asNumber(text, spec) : text.trim() || null);
        }}
      />
    </div>
  );
}
