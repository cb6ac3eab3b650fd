namespace FuncScaler.Tests.FakeArm;

/// <summary>What a scripted call of a <see cref="FakeArmServer"/> does.</summary>
internal sealed record ArmFault
{
    /// <summary>No fault.</summary>
    public static ArmFault None { get; } = new();

    /// <summary>The HTTP status to answer with; 0 for the proper one.</summary>
    public int Status { get; init; }

    /// <summary>The error's code in the body.</summary>
    public string Code { get; init; } = "";

    /// <summary>The error's words.</summary>
    public string Message { get; init; } = "as scripted";

    /// <summary>The Retry-After header, s; null for none.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>The call takes effect although it is answered with an error, or not at all.</summary>
    public bool TakesEffect { get; init; }

    /// <summary>The connection is cut instead of an answer.</summary>
    public bool CutsConnection { get; init; }

    /// <summary>No answer until the caller goes away.</summary>
    public bool Hangs { get; init; }

    /// <summary>The answer is a JSON string that never ends.</summary>
    public bool NeverEnds { get; init; }

    /// <summary>The answer's body instead of the proper one; null for that.</summary>
    public string? Body { get; init; }

    /// <summary>For PUT: how long provisioning takes; infinite for one that is stuck. Null for the server's own.</summary>
    public TimeSpan? Provisioning { get; init; }

    /// <summary>For PUT: the code that provisioning fails with; null for success.</summary>
    public string? ProvisioningError { get; init; }

    public static ArmFault Throttled(int? retryAfter) => new() { Status = 429, Code = "TooManyRequests", RetryAfter = retryAfter };

    public static ArmFault Error(int status, string code = "InternalServerError", string message = "as scripted") => new() { Status = status, Code = code, Message = message };
}
