/** The names of what a public detector finds, in the order of its classes. */

/** COCO's 80 classes as detectors count them. */
export const coco80: readonly string[] = [
  "person bicycle car motorcycle airplane bus train truck boat".split(" "),
  ["traffic light", "fire hydrant", "stop sign", "parking meter", "bench"],
  "bird cat dog horse sheep cow elephant bear zebra giraffe".split(" "),
  "backpack umbrella handbag tie suitcase".split(" "),
  ["frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard"],
  ["surfboard", "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl"],
  ["banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake"],
  ["chair", "couch", "potted plant", "bed", "dining table", "toilet"],
  ["tv", "laptop", "mouse", "remote", "keyboard", "cell phone"],
  ["microwave", "oven", "toaster", "sink", "refrigerator"],
  ["book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush"],
].flat();

/** COCO's own numbers that no picture uses, from 1, with the names that its paper gives them. */
const unused: Readonly<Record<number, string>> = {
  12: "street sign",
  26: "hat",
  29: "shoe",
  30: "eye glasses",
  45: "plate",
  66: "mirror",
  68: "window",
  69: "desk",
  71: "door",
  83: "blender",
};

/** COCO's own numbers 1 to 90, which TensorFlow's detectors answer with. */
export const coco90: readonly string[] = ninety();

function ninety(): readonly string[] {
  const used = coco80.values();
  return Array.from({ length: 90 }, (_, index) => unused[index + 1] ?? used.next().value ?? "");
}
