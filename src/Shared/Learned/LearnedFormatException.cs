namespace FuncScaler.Learned;

/// <summary>Bytes that were to say what was learned do not; the message says why.</summary>
public sealed class LearnedFormatException : Exception
{
    public LearnedFormatException()
    {
    }

    public LearnedFormatException(string message)
        : base(message)
    {
    }

    public LearnedFormatException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
