/** The choice of a model. */

import { useId } from "preact/hooks";
import { session } from "../state/folder";

interface Props {
  label?: string;
  value: string;
  onChange: (model: string) => void;
}

export function ModelField({ label = "Model", value, onChange }: Props) {
  const id = useId();
  const models = session.value?.models ?? [];
  const known = models.some((model) => model.name === value);
  return (
    <div class="setting wide">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {!known && <option value={value}>{value}</option>}
        {models.map((model) => (
          <option key={model.name} value={model.name} title={model.title}>
            {model.title && model.title !== model.name ? `${model.name}: ${model.title}` : model.name}
          </option>
        ))}
      </select>
    </div>
  );
}
