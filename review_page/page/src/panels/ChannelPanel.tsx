/** Colour and contrast of each channel. */

import type { ChannelRange, ImageDetails } from "../server/answers";
import { automaticContrast, channelViews, sameContrast, setChannel } from "../state/appearance";
import { Slider } from "../ui/Slider";
import type { ChannelView } from "../viewer/contrast";

export function ChannelPanel({ image }: { image: ImageDetails }) {
  return (
    <section aria-labelledby="channels">
      <h2 id="channels">Channels</h2>
      {channelViews.value.map((view, index) => {
        const range = image.channelRanges[index];
        return range && <Channel key={`${index} ${view.name}`} view={view} range={range} index={index} />;
      })}
      <div class="row">
        <button type="button" onClick={() => automaticContrast(image)}>
          Automatic contrast
        </button>
        <label class="check">
          <input
            type="checkbox"
            checked={sameContrast.value}
            onChange={(event) => {
              sameContrast.value = event.currentTarget.checked;
            }}
          />
          <span>Same for the next images</span>
        </label>
      </div>
    </section>
  );
}

/** Sliders reach a little beyond what is useful, not over the whole range of grey values, where they would be coarse. */
export function contrastSpan(
  range: ChannelRange,
  view: ChannelView,
): { least: number; most: number; step: number } {
  const useful = Math.max(range.high - range.low, 1e-9);
  const least = Math.max(range.lowest, Math.min(range.low - useful, view.low));
  const most = Math.min(range.highest, Math.max(range.high + 2 * useful, view.high));
  const step = range.highest - range.lowest > 50 ? 1 : (most - least) / 500 || 1e-6;
  return { least, most: Math.max(most, least + step), step };
}

function Channel({ view, range, index }: { view: ChannelView; range: ChannelRange; index: number }) {
  const span = contrastSpan(range, view);
  return (
    <fieldset class="channel">
      <legend>{view.name}</legend>
      <div class="row">
        <label class="check">
          <input
            type="checkbox"
            checked={view.shown}
            onChange={(event) => setChannel(index, { shown: event.currentTarget.checked })}
          />
          <span>Show</span>
        </label>
        <label class="check color">
          <span>Colour</span>
          <input
            type="color"
            value={view.color}
            onInput={(event) => setChannel(index, { color: event.currentTarget.value })}
          />
        </label>
      </div>
      <Slider
        label="Black at"
        help="Grey values up to this one are shown black."
        value={view.low}
        {...span}
        onChange={(low) => setChannel(index, { low, high: Math.max(view.high, low + span.step) })}
      />
      <Slider
        label="White at"
        help="Grey values from this one on have the full colour."
        value={view.high}
        {...span}
        onChange={(high) => setChannel(index, { high, low: Math.min(view.low, high - span.step) })}
      />
    </fieldset>
  );
}
