/** Starts the page: the grid or one image, and the dialogs over them. */

import "./styles/base.css";
import "./styles/grid.css";
import "./styles/image.css";
import "./styles/dialogs.css";
import { render } from "preact";
import { HelpDialog } from "./dialogs/HelpDialog";
import { SaveDialog } from "./dialogs/SaveDialog";
import { SegmentDialog } from "./dialogs/SegmentDialog";
import { TeachDialog } from "./dialogs/TeachDialog";
import { ChoicePanel } from "./grid/ChoicePanel";
import { Grid } from "./grid/Grid";
import { ImageView } from "./panels/ImageView";
import { openFolder } from "./state/folder";
import { listenToKeys } from "./state/keys";
import { followOpened } from "./state/opened";
import { followAddress, openId } from "./state/route";
import { openWindow } from "./state/windows";
import { TopBar } from "./TopBar";
import { Notices } from "./ui/Notices";

const DIALOGS = { help: HelpDialog, save: SaveDialog, segment: SegmentDialog, teach: TeachDialog };

function Page() {
  const Opened = openWindow.value && DIALOGS[openWindow.value];
  return (
    <>
      <TopBar />
      {openId.value === null ? (
        <main class="grid-view">
          <h1 class="unseen">Images</h1>
          <ChoicePanel />
          <Grid />
        </main>
      ) : (
        <ImageView />
      )}
      {Opened && (
        <Opened
          key={openWindow.value}
          onClose={() => {
            openWindow.value = null;
          }}
        />
      )}
      <Notices />
    </>
  );
}

followAddress();
followOpened();
listenToKeys();
render(<Page />, document.getElementById("page") as HTMLElement);
void openFolder();
