namespace FuncScaler.Learned;

/// <summary>Something that can write down what it has learned, and take it in again.</summary>
public interface ILearned
{
    /// <summary>Writes what was learned. A bound on its size is given by <see cref="LearnedWriter.Part"/>'s caller.</summary>
    void WriteLearned(LearnedWriter writer);

    /// <summary>Takes in what was written, in place of what a new one knows. It may be of an older version, see <see cref="LearnedReader.Version"/>.</summary>
    /// <exception cref="LearnedFormatException">It is not what was written.</exception>
    void ReadLearned(LearnedReader reader);
}
