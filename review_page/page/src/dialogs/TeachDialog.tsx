/** Teaches a model with the accepted images: progress, and scores before and after. */

import { useSignal } from "@preact/signals";
import { useEffect, useId } from "preact/hooks";
import { ModelField } from "../panels/ModelField";
import type { Teaching } from "../server/answers";
import { readTeaching, stopTeaching, teach } from "../server/review";
import { folderSettings, imageList, refreshSession, session } from "../state/folder";
import { tellError } from "../state/notices";
import { openWindow } from "../state/windows";
import { Dialog } from "../ui/Dialog";

const POLL_MS = 1000;

export function TeachDialog({ onClose }: { onClose: () => void }) {
  const teaching = useSignal<Teaching | null>(session.value?.teach ?? null);

  async function read() {
    try {
      const before = teaching.peek()?.state;
      const now = await readTeaching();
      if (before === "training" && now.state === "done") await refreshSession();
      teaching.value = now;
    } catch (error) {
      tellError(error);
    }
  }
  // reads for as long as the dialog is open
  useEffect(() => {
    void read();
    const timer = window.setInterval(read, POLL_MS);
    return () => window.clearInterval(timer);
  }, []);

  const state = teaching.value?.state ?? "none";
  const problem = session.value?.teachProblem ?? null;
  return (
    <Dialog title="Teach a model" onClose={onClose}>
      {problem ? <p role="alert">{problem}</p> : state !== "training" && <Begin onBegun={read} />}
      {teaching.value && state !== "none" && <Progress teaching={teaching.value} onStop={read} />}
    </Dialog>
  );
}

/** A name for a new model that no other model has. */
export function freeName(taken: string[]): string {
  const names = ["my_model", ...taken.map((_, index) => `my_model_${index + 2}`)];
  return names.find((name) => !taken.includes(name)) ?? "";
}

function Begin({ onBegun }: { onBegun: () => Promise<void> }) {
  const ids = { name: useId(), minutes: useId() };
  const name = useSignal(freeName((session.value?.models ?? []).map((model) => model.name)));
  const from = useSignal(String(folderSettings.value.model ?? session.value?.model ?? ""));
  const minutes = useSignal(10);
  const beginning = useSignal(false);
  const accepted = imageList.value.filter((entry) => entry.verdict === "accepted").length;

  async function begin() {
    beginning.value = true;
    try {
      await teach(name.value.trim(), from.value, minutes.value);
      await onBegun();
    } catch (error) {
      tellError(error);
    } finally {
      beginning.value = false;
    }
  }
  return (
    <>
      <p>
        {accepted === 0 && "No image is accepted yet. "}
        {accepted === 1 && "1 image is accepted. "}
        {accepted > 1 && `${accepted} images are accepted. `}
        Everything in an accepted image that has no outline counts as background, so correct it completely
        first.
      </p>
      <div class="setting">
        <label for={ids.name}>Name of the new model</label>
        <input
          id={ids.name}
          type="text"
          value={name.value}
          onInput={(event) => {
            name.value = event.currentTarget.value;
          }}
        />
      </div>
      <ModelField
        label="Begin with the model"
        value={from.value}
        onChange={(model) => {
          from.value = model;
        }}
      />
      <div class="setting">
        <label for={ids.minutes}>Minutes</label>
        <input
          id={ids.minutes}
          type="number"
          min={1}
          max={1440}
          value={minutes.value}
          onInput={(event) => {
            minutes.value = event.currentTarget.valueAsNumber;
          }}
        />
      </div>
      <button
        type="button"
        class="main"
        disabled={beginning.value || accepted === 0 || name.value.trim() === "" || !(minutes.value > 0)}
        onClick={begin}
      >
        Teach
      </button>
    </>
  );
}

function Progress({ teaching, onStop }: { teaching: Teaching; onStop: () => Promise<void> }) {
  const { state, progress, sentence, before, after, scored, model } = teaching;
  return (
    <section class="teaching" role="status">
      <p class={state === "failed" ? "refused" : ""}>{sentence}</p>
      {state === "training" && (
        <>
          <progress max={1} value={progress} aria-label="Training" />
          <p class="dim">You can go on working, and close this window or the page.</p>
          <button type="button" onClick={() => stopTeaching().then(onStop, tellError)}>
            Stop training
          </button>
        </>
      )}
      {(before !== null || after !== null) && <Scores {...{ before, after, scored }} />}
      {state === "done" && model && (
        <button
          type="button"
          class="main"
          onClick={() => {
            folderSettings.value = { ...folderSettings.value, model };
            openWindow.value = "segment";
          }}
        >
          Segment with {model} …
        </button>
      )}
    </section>
  );
}

function Scores({ before, after, scored }: Pick<Teaching, "before" | "after" | "scored">) {
  const images = scored?.images === 1 ? "1 accepted image" : `${scored?.images ?? "the"} accepted images`;
  return (
    <table>
      <caption>
        {scored?.heldOut ? `On ${images} that the model did not learn from` : `On the ${images} themselves`}
      </caption>
      <thead>
        <tr>
          <td />
          <th scope="col">Before</th>
          <th scope="col">After</th>
        </tr>
      </thead>
      <tbody>
        <tr>
          <th
            scope="row"
            title="Average precision at IoU 0.5: 1 if every object is found and nothing else, 0 if none is"
          >
            AP@0.5
          </th>
          <td>{before ?? "–"}</td>
          <td>{after ?? "–"}</td>
        </tr>
      </tbody>
    </table>
  );
}
