namespace FuncScaler.UnaryGrpc;

/// <summary>How the messages of one direction of a call are compressed: its grpc-encoding.</summary>
public enum MessageEncoding
{
    Identity,
    Gzip,
}

internal static class MessageEncodings
{
    /// <summary>What both sides can read: the value of grpc-accept-encoding.</summary>
    public const string Accepted = "identity,gzip";

    /// <summary>Reads a grpc-encoding; a call without one is not compressed.</summary>
    public static bool TryParse(string? text, out MessageEncoding encoding)
    {
        encoding = text == "gzip" ? MessageEncoding.Gzip : MessageEncoding.Identity;
        return string.IsNullOrEmpty(text) || text is "gzip" or "identity";
    }
}
