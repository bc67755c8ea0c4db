/** The question of which images something is done with. */

interface Props<Which extends string> {
  legend: string;
  options: { value: Which; words: string }[];
  chosen: Which;
  onChange: (which: Which) => void;
  note?: string | undefined;
}

export function WhichImages<Which extends string>({ legend, options, chosen, onChange, note }: Props<Which>) {
  return (
    <fieldset>
      <legend>{legend}</legend>
      {options.map(({ value, words }) => (
        <label key={value} class="check">
          <input type="radio" name="which" checked={chosen === value} onChange={() => onChange(value)} />
          <span>{words}</span>
        </label>
      ))}
      {note && <p class="dim">{note}</p>}
    </fieldset>
  );
}
