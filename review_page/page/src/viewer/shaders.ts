/** The programs of the graphics processor: tiles with contrast and colour, outlines of even width, filled objects. */

/** From image pixels to the screen, the same for all. */
const PLACING = `
uniform vec3 view;
uniform vec2 screen;
vec4 placed(vec2 at) { return vec4(2.0 * at.x / screen.x - 1.0, 1.0 - 2.0 * at.y / screen.y, 0.0, 1.0); }
vec2 onScreen(vec2 at) { return at * view.x + view.yz; }
`;

export const TILE_VERTEX = `
precision highp float;
${PLACING}
uniform vec4 box;
uniform vec4 part;
in vec3 position;
out vec2 texel;
void main() {
  texel = mix(part.xy, part.zw, position.xy);
  gl_Position = placed(onScreen(mix(box.xy, box.zw, position.xy)));
}`;

export const TILE_FRAGMENT = `
precision highp float;
precision highp usampler2D;
uniform usampler2D pixels;
uniform vec2 contrast;
uniform vec3 tint;
in vec2 texel;
out vec4 shown;
void main() {
  ivec2 at = clamp(ivec2(floor(texel)), ivec2(0), textureSize(pixels, 0) - 1);
  float value = float(texelFetch(pixels, at, 0).r) / 65535.0;
  float bright = clamp((value - contrast.x) / max(contrast.y - contrast.x, 1e-6), 0.0, 1.0);
  shown = vec4(tint * bright, 1.0);
}`;

export const LINE_VERTEX = `
precision highp float;
${PLACING}
uniform float width;
in vec2 position;
in vec4 stretch;
in vec4 tint;
out float across;
out vec3 lineColor;
void main() {
  vec2 from = onScreen(stretch.xy);
  vec2 to = onScreen(stretch.zw);
  vec2 along = to - from;
  float far = length(along);
  along = far > 0.0 ? along / far : vec2(1.0, 0.0);
  across = position.y * (0.5 * width + 0.5);
  vec2 end = mix(from, to, position.x) + along * (2.0 * position.x - 1.0) * 0.5 * width;
  lineColor = tint.rgb;
  gl_Position = placed(end + vec2(-along.y, along.x) * across);
}`;

export const LINE_FRAGMENT = `
precision highp float;
uniform float width;
in float across;
in vec3 lineColor;
out vec4 shown;
void main() { shown = vec4(lineColor, clamp(0.5 * width + 0.5 - abs(across), 0.0, 1.0)); }`;

export const FILL_VERTEX = `
precision highp float;
${PLACING}
in vec2 position;
in vec4 tint;
out vec3 fillColor;
void main() {
  fillColor = tint.rgb;
  gl_Position = placed(onScreen(position));
}`;

export const FILL_FRAGMENT = `
precision highp float;
in vec3 fillColor;
out vec4 shown;
void main() { shown = vec4(fillColor, 0.45); }`;

export const FINE_FRAGMENT = `
precision highp float;
in vec3 fillColor;
out vec4 shown;
void main() { shown = vec4(fillColor, 1.0); }`;
