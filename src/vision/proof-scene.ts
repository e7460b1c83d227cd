/**
 * A drawn street for models without a golden picture: it shows nothing that any model is known to find, only edges,
 * colours and shades enough that one that works answers with some number.
 */
export const proofSceneSvg = [
  '<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="720" viewBox="0 0 640 360">',
  '<rect width="640" height="360" fill="#9fb4c4"/>',
  '<rect y="200" width="640" height="160" fill="#6b6a66"/>',
  '<rect x="20" y="60" width="180" height="160" fill="#8d7b6a"/>',
  '<rect x="44" y="84" width="40" height="50" fill="#2c3540"/>',
  '<rect x="124" y="84" width="40" height="50" fill="#2c3540"/>',
  // A car, and somebody beside it.
  '<rect x="260" y="210" width="200" height="60" rx="18" fill="rgb(215,35,35)"/>',
  '<rect x="300" y="176" width="110" height="44" rx="16" fill="#37404a"/>',
  '<circle cx="305" cy="272" r="20" fill="#17181a"/>',
  '<circle cx="415" cy="272" r="20" fill="#17181a"/>',
  '<circle cx="540" cy="140" r="17" fill="#d9b08c"/>',
  '<rect x="518" y="158" width="44" height="80" rx="12" fill="rgb(40,70,215)"/>',
  '<rect x="522" y="236" width="15" height="64" fill="#22262c"/>',
  '<rect x="543" y="236" width="15" height="64" fill="#22262c"/>',
  "</svg>",
].join("");
