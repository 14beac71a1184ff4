#!/bin/sh
# The last step of the image, after the packages are installed: what only installing needed goes,
# and what a read-only root file system could not keep is made.
#
# buildah makes one layer of all this, so what goes here takes no room. Docker keeps a layer for each
# step, where it would still take room.
set -eu
packages=$(python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')

# OpenVINO brings what Intel's GPUs and NPUs need, and readers of other formats than its own: 80 MB
# that an exported encoder on a CPU never opens.
cd "$packages/openvino"
rm -r include cmake
cd libs
# The wheel for ARM has none of Intel's.
if [ -e libopenvino_intel_cpu_plugin.so ]; then
    rm libopenvino_intel_gpu_plugin.so libopenvino_intel_npu_*.so cache.json
fi
rm libopenvino_onnx_* libopenvino_tensorflow_* libopenvino_paddle_* libopenvino_pytorch_* \
   libopenvino_gguf_* libopenvino_jax_*

# botocore describes 400 services of Amazon's; an artifact comes from S3, with the credentials of four
# others. And numpy ships its tests. 30 MB.
cd "$packages/botocore/data"
find . -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts ! -name sso ! -name sso-oidc \
    ! -name signin -exec rm -r {} +
find "$packages/numpy" -type d -name tests -prune -exec rm -r {} +

# uv, where BentoML's recipe has put it next to the base image's own Python.
if [ -n "$(command -v uv)" ]; then
    "$(dirname "$(readlink -f "$(command -v python)")")/python3" -m pip uninstall -qy uv || true
fi
rm -rf /root/.cache /tmp/* /var/tmp/*

# Byte code of the service; that of the packages is there. unchecked-hash: the time stamps of layers
# cannot make it stale.
python -m compileall -q --invalidation-mode unchecked-hash "$BENTO_PATH/src"
