using System.Net;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ContestSimulator.Platform;

public sealed partial class ContestPlatformServer
{
    [LoggerMessage(500, LogLevel.Information, "Listening on {Address}: gRPC on port {PlatformPort}, control on port {ControlPort}")]
    private static partial void LogListening(ILogger logger, IPAddress address, int platformPort, int controlPort);

    [LoggerMessage(501, LogLevel.Information, "Run {Id} of trace {Trace} begins")]
    private static partial void LogRunBegins(ILogger logger, string id, string trace);

    [LoggerMessage(502, LogLevel.Information, "Run {Id} ended: {Requests} requests, {Failed} failed, score {Score:0.00}, error: {Error}")]
    private static partial void LogRunEnded(ILogger logger, string id, long requests, long failed, double score, string error);

    [LoggerMessage(503, LogLevel.Error, "Run {Id} could not be made")]
    private static partial void LogRunFailed(ILogger logger, Exception error, string id);
}
