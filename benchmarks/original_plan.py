"""The service as it was first planned: the baseline of benchmarks/serving.py.

FastAPI under uvicorn, one worker, `async def` handlers that call the model inline, float32, one
picture at a time. Run by the benchmark:

    ENCODER=DIR INDEX=FILE METADATA=FILE uvicorn original_plan:app
"""

from __future__ import annotations

import io
import os
import pickle
from typing import Any

import faiss
import torch
from fastapi import FastAPI, File, HTTPException, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

device = "cuda" if torch.cuda.is_available() else "cpu"
model = CLIPModel.from_pretrained(os.environ["ENCODER"]).to(device).eval()
processor = CLIPProcessor.from_pretrained(os.environ["ENCODER"])
index = faiss.read_index(os.environ["INDEX"])
with open(os.environ["METADATA"], "rb") as file:
    labels = pickle.load(file)["labels"]  # noqa: S301  our own file, as the plan reads it

app = FastAPI()
app.add_middleware(
    CORSMiddleware,
    allow_origins=["http://localhost:3000"],
    allow_credentials=True,
    allow_methods=["*"],
    allow_headers=["*"],
)


def search(features: torch.Tensor, k: int) -> list[dict[str, Any]]:
    query = features.cpu().numpy().astype("float32")
    faiss.normalize_L2(query)
    scores, ids = index.search(query, k)
    return [
        {"album_id": int(i), "genre_id": int(labels[i]), "similarity_score": float(score)}
        for score, i in zip(scores[0], ids[0], strict=True)
    ]


def pooled(output: Any) -> torch.Tensor:
    features: torch.Tensor = getattr(output, "pooler_output", output)
    return features


@app.get("/")
async def root() -> dict[str, Any]:
    return {
        "message": "Shazam Visual",
        "status": "running",
        "endpoints": {
            "search_image": "/api/search-by-image",
            "search_text": "/api/search-by-text",
            "docs": "/docs",
        },
    }


@app.get("/health")
async def health() -> dict[str, Any]:
    return {"status": "healthy", "total_albums": index.ntotal}


@app.post("/api/search-by-image")
async def search_by_image(file: UploadFile = File(...), k: int = 5) -> dict[str, Any]:
    if not (file.content_type or "").startswith("image/"):
        raise HTTPException(400, "File must be an image")
    try:
        image = Image.open(io.BytesIO(await file.read())).convert("RGB")
        inputs = processor(images=image, return_tensors="pt").to(device)
        with torch.no_grad():
            features = pooled(model.get_image_features(**inputs))
        return {"success": True, "query_type": "image", "results": search(features, k)}
    except Exception as error:
        raise HTTPException(500, str(error)) from error


@app.get("/api/search-by-text")
async def search_by_text(query: str, k: int = 5) -> dict[str, Any]:
    if not query.strip():
        raise HTTPException(400, "Query cannot be empty")
    try:
        inputs = processor(text=[query], return_tensors="pt", padding=True, truncation=True)
        with torch.no_grad():
            features = pooled(model.get_text_features(**inputs.to(device)))
        results = search(features, k)
        return {"success": True, "query_type": "text", "query": query, "results": results}
    except Exception as error:
        raise HTTPException(500, str(error)) from error
