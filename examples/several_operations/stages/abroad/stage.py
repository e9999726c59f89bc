"""Starts two maps at once, waits for both, and validates what they wrote."""

from ytbuild import BaseStage, DebugContext, run_map


class Abroad(BaseStage):
    def run(self, debug: DebugContext) -> None:
        operations = self.config.client.operations
        started = [run_map(self.context, operations[name], sync=False) for name in ("dollars", "francs")]
        for handle in started:
            result = handle.wait()
            if result.rows_out != result.rows_in:
                raise ValueError(f"{handle.spec.output_table}: {result.rows_in} prices in, {result.rows_out} out")
        self.logger.info("no price is missing")
