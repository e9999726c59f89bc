"""Runs the pipeline of this folder: `python pipeline.py` does what `ytbuild run` does, options included."""

from ytbuild import DefaultPipeline

if __name__ == "__main__":
    DefaultPipeline.main()
