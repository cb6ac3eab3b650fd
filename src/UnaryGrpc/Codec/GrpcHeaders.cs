using System.Globalization;

namespace FuncScaler.UnaryGrpc;

internal static class GrpcHeaders
{
    public const string ContentType = "application/grpc";
    public const string Status = "grpc-status";
    public const string Message = "grpc-message";
    public const string Timeout = "grpc-timeout";
    public const string Encoding = "grpc-encoding";
    public const string AcceptEncoding = "grpc-accept-encoding";

    /// <summary>Whether a content type is gRPC's, of whatever message format; gRPC-Web's is not.</summary>
    public static bool IsGrpc(string? contentType) =>
        contentType is not null
        && contentType.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase)
        && (contentType.Length == ContentType.Length || contentType[ContentType.Length] is '+' or ';' or ' ');

    /// <summary>Whether a gRPC content type's message format is protobuf, which is what no format means.</summary>
    public static bool IsProto(string? contentType)
    {
        if (contentType is null || contentType.Length == ContentType.Length || contentType[ContentType.Length] != '+')
        {
            return true;
        }

        ReadOnlySpan<char> format = contentType.AsSpan(ContentType.Length + 1);
        int end = format.IndexOfAny(';', ' ');
        return (end < 0 ? format : format[..end]).Equals("proto", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>What a grpc-status and its grpc-message say; a status that cannot be read is UNKNOWN.</summary>
    public static GrpcStatus ParseStatus(string status, string? message, out string detail)
    {
        detail = "";
        if (status == "0")
        {
            return GrpcStatus.Ok;
        }

        detail = message is null ? "" : GrpcMessageText.Decode(message);
        if (int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out int code)
            && code <= (int)GrpcStatus.Unauthenticated)
        {
            return (GrpcStatus)code;
        }

        detail = $"Unknown grpc-status '{status}'. {detail}".TrimEnd();
        return GrpcStatus.Unknown;
    }
}
