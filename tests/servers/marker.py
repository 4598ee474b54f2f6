"""A server of questions that knows which ones it has answered: `python marker.py LOG`.

A client sends `PROMPT_ID SECONDS\n`; the answer is an `x` every 20 ms for so long, then a newline.
Each line of the log is `begun ID`, `finished ID` or `cut ID`. The port is printed first.
"""

import asyncio
import sys
from pathlib import Path

TICK_S = 0.02


async def serve(log: Path) -> None:
    with log.open("a", buffering=1) as file:

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                prompt_id, seconds = line.decode().split()
                print("begun", prompt_id, file=file)
                try:
                    for _ in range(round(float(seconds) / TICK_S)):
                        writer.write(b"x")
                        await writer.drain()
                        await asyncio.sleep(TICK_S)
                        if reader.at_eof():
                            raise ConnectionError
                    writer.write(b"\n")
                    await writer.drain()
                except ConnectionError:
                    print("cut", prompt_id, file=file)
                    break
                print("finished", prompt_id, file=file)
            writer.close()

        server = await asyncio.start_server(converse, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
