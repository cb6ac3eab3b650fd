namespace FuncScaler.Runtime.Soaking;

/// <summary>A promise of the scaler was broken in a simulated world; the message says which and how.</summary>
public sealed class SoakException : Exception
{
    public SoakException()
    {
    }

    public SoakException(string message)
        : base(message)
    {
    }

    public SoakException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal static void Unless(bool holds, string broken)
    {
        if (!holds)
        {
            throw new SoakException(broken);
        }
    }

    /// <summary>For what is dear to tell.</summary>
    internal static void Unless(bool holds, Func<string> broken)
    {
        if (!holds)
        {
            throw new SoakException(broken());
        }
    }
}
