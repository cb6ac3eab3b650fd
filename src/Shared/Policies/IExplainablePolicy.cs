namespace FuncScaler.Policies;

/// <summary>A policy that can say what it knows of its function, what it is up to, and why it did what it did last.</summary>
public interface IExplainablePolicy
{
    /// <summary>Explains; changes nothing.</summary>
    PolicyExplanation Explain(in PoolView pool);
}
