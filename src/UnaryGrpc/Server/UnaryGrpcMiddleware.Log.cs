using Microsoft.Extensions.Logging;

namespace FuncScaler.UnaryGrpc;

internal sealed partial class UnaryGrpcMiddleware
{
    private static partial class Log
    {
        [LoggerMessage(EventId = 1, Level = LogLevel.Error, Message = "The handler of {Path} failed")]
        public static partial void HandlerFailed(ILogger logger, Exception exception, string path);

        [LoggerMessage(EventId = 2, Level = LogLevel.Debug, Message = "{Path} was answered with {Status}: {Detail}")]
        public static partial void AnsweredWithError(ILogger logger, string path, GrpcStatus status, string detail);

        [LoggerMessage(EventId = 3, Level = LogLevel.Debug, Message = "The caller of {Path} went away")]
        public static partial void CallerGone(ILogger logger, string path);
    }
}
