namespace FuncScaler.ContestSimulator.Platform;

/// <summary>The platform cannot do what it was asked to; the message says why, and what to do about it, in one sentence.</summary>
public sealed class ContestPlatformException : InvalidOperationException
{
    public ContestPlatformException()
    {
    }

    public ContestPlatformException(string message)
        : base(message)
    {
    }

    public ContestPlatformException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
