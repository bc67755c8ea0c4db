/** What is known of the selected objects. */

import type { Outline } from "../server/answers";
import * as opened from "../state/opened";
import { asShort } from "../ui/Slider";
import { places } from "../viewer/control";

export function ObjectPanel() {
  const chosen = firstOfEach(places.value.of(opened.selected.value));
  return (
    <section aria-labelledby="objects">
      <h2 id="objects">Selected objects</h2>
      <div role="status">
        {chosen.length === 0 && <p class="dim">Click on an object, or press . for the next one.</p>}
        {chosen.length > 0 && (
          <table>
            <thead>
              <tr>
                <th scope="col">Object</th>
                <th scope="col" title="Pixels">
                  Area
                </th>
                <th scope="col" title="A logit: 0 is undecided, 5 is certain">
                  Probability
                </th>
                <th scope="col">Flow error</th>
              </tr>
            </thead>
            <tbody>
              {chosen.slice(0, 12).map((outline) => (
                <tr key={outline.label}>
                  <th scope="row">
                    <span class="swatch" style={{ background: outline.color }} /> {outline.label}
                    {outline.edge && <span title="Touches the border"> ⊣</span>}
                  </th>
                  <td>{number(outline.area)}</td>
                  <td>{number(outline.probability)}</td>
                  <td>{number(outline.flowError)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {chosen.length > 12 && <p class="dim">and {chosen.length - 12} more</p>}
      </div>
    </section>
  );
}

const number = (value: number | null) => (value === null ? "–" : asShort(value));

function firstOfEach(outlines: Outline[]): Outline[] {
  return [...new Map(outlines.map((outline) => [outline.label, outline])).values()];
}
