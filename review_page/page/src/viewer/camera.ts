/** Where the image lies on the screen: screen = zoom * image + offset. All lengths are CSS pixels. */

export interface View {
  zoom: number;
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

/** The rectangle of the image that is seen, in image pixels. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const MARGIN = 0.96;

/** The zoom at which the whole image is seen. */
export function fittingZoom(image: Size, screen: Size): number {
  return MARGIN * Math.min(screen.width / image.width, screen.height / image.height);
}

/** The view that shows the whole image in the middle. */
export function fitting(image: Size, screen: Size): View {
  return centred(image.width / 2, image.height / 2, fittingZoom(image, screen), screen);
}

/** The view with an image point in the middle of the screen. */
export function centred(x: number, y: number, zoom: number, screen: Size): View {
  return { zoom, x: screen.width / 2 - zoom * x, y: screen.height / 2 - zoom * y };
}

export function toImage(view: View, x: number, y: number): [number, number] {
  return [(x - view.x) / view.zoom, (y - view.y) / view.zoom];
}

export function toScreen(view: View, x: number, y: number): [number, number] {
  return [view.zoom * x + view.x, view.zoom * y + view.y];
}

export function seen(view: View, screen: Size): Box {
  const [left, top] = toImage(view, 0, 0);
  const [right, bottom] = toImage(view, screen.width, screen.height);
  return { left, top, right, bottom };
}

/** The view with the image's corner on a whole pixel of the screen, so that a move shifts what was drawn exactly. */
export function onPixel({ zoom, x, y }: View, ratio: number): View {
  return { zoom, x: Math.round(x * ratio) / ratio, y: Math.round(y * ratio) / ratio };
}
