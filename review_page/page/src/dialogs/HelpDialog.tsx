/** The list of keys. */

import { ANYWHERE, IN_GRID, IN_IMAGE, ON_CARDS, WHILE_DRAWING } from "../state/keys";
import { Dialog } from "../ui/Dialog";

const LISTS = [
  { title: "Everywhere", actions: ANYWHERE },
  { title: "All images", actions: [...ON_CARDS, ...IN_GRID] },
  { title: "One image", actions: IN_IMAGE },
  { title: "While a line is drawn", actions: WHILE_DRAWING },
];

export function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose} wide>
      <div class="key-lists">
        {LISTS.map(({ title, actions }) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {actions.map(({ shown, words }) => (
                <div key={shown}>
                  <dt>
                    <kbd>{shown}</kbd>
                  </dt>
                  <dd>{words}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p>
        Mouse: drag moves the picture, the wheel zooms, a click selects, Shift and click selects more. To
        split or draw, drag a line, or click its points and double-click the last one.
      </p>
    </Dialog>
  );
}
